package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/workflows/contract"
)

// batchLine is a request of the file.
type batchLine struct {
	number  int
	request contract.Parsed
}

func (l batchLine) taskID() string { return l.request.Normalised.TaskID }

// readBatch reads and checks all requests. The error names every fault of every bad line.
func readBatch(file string, stdin io.Reader) ([]batchLine, error) {
	from, name, err := openInput(file, stdin)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	var lines []batchLine
	var broken domain.Faults
	bad, lineOf := 0, map[string]int{} // by task id
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, readMost)
	for number := 1; scanner.Scan(); number++ {
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		parsed, err := check(contract.RequestText(bytes.Clone(text)))
		line := batchLine{number: number, request: parsed}
		if found := line.faults(err, lineOf[line.taskID()]); len(found) > 0 {
			broken, bad = append(broken, found...), bad+1
		}
		if strings.TrimSpace(line.taskID()) != "" {
			lineOf[line.taskID()] = cmp.Or(lineOf[line.taskID()], number)
		}
		lines = append(lines, line)
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, misused("", "-f: %q has a line of more than %d bytes", name, readMost)
	case err != nil:
		return nil, misused("", "-f: read %q: %w", name, err)
	case len(broken) > 0:
		return nil, misused("", "%s can't be run; nothing was started\n  %s", domain.Count(bad, "line"), strings.Join(broken.Lines(), "\n  "))
	case len(lines) == 0:
		return nil, misused("", "-f: %q has no requests", name)
	}
	return lines, nil
}

// faults returns the faults of the line: those of its request, and a task id that an earlier line has already.
func (l batchLine) faults(err error, earlier int) domain.Faults {
	var placed domain.Faults
	found, known := errors.AsType[domain.Faults](err)
	if err != nil && !known {
		found.Add("request", "%s", err)
	}
	if earlier > 0 {
		found.Add("task_id", "duplicate of line %d", earlier)
	}
	for _, fault := range found {
		placed.Add(fmt.Sprintf("line %d: %s", l.number, fault.Path), "%s", fault.Rule)
	}
	return placed
}

// results are written to stdout, or to a file that gets its final name when all results are there.
type results struct {
	to    io.Writer
	file  *os.File // nil for stdout
	name  string
	final string
}

func openResults(path string, stdout io.Writer) (*results, error) {
	if path == "" {
		return &results{to: stdout}, nil
	}
	file, err := os.Create(path + ".part")
	if err != nil {
		return nil, misused("", "-o: %w", err)
	}
	return &results{to: file, file: file, name: file.Name(), final: path}, nil
}

func (r *results) close(whole bool) error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	if err == nil && whole {
		err = os.Rename(r.name, r.final)
	}
	return err
}
