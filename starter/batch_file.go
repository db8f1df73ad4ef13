package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"deliberation.io/deliberation/domain"
	"deliberation.io/deliberation/internal/terminal"
	"deliberation.io/deliberation/workflows/contract"
)

// batchLine is a request of the file.
type batchLine struct {
	number  int
	taskID  string
	request contract.Parsed
}

// readBatch reads and checks all requests; the error names each bad line.
func readBatch(file string, stdin io.Reader) ([]batchLine, error) {
	from, name := stdin, "stdin"
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, misused("", "-f: %w", err)
		}
		defer opened.Close()
		from, name = opened, file
	}
	var lines []batchLine
	bad := badLines{byTask: map[string]int{}}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, readMost)
	for number := 1; scanner.Scan(); number++ {
		text := bytes.TrimSpace(scanner.Bytes())
		if len(text) == 0 {
			continue
		}
		parsed, err := check(contract.RequestText(bytes.Clone(text)))
		line := batchLine{number: number, taskID: strings.TrimSpace(parsed.Normalised.TaskID), request: parsed}
		bad.note(line, err)
		lines = append(lines, line)
	}
	switch err := scanner.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, misused("", "-f: %q has a line of more than %d bytes", name, readMost)
	case err != nil:
		return nil, misused("", "-f: read %q: %w", name, err)
	case len(bad.faults) > 0:
		return nil, bad.refusal()
	case len(lines) == 0:
		return nil, misused("", "-f: %q has no requests", name)
	}
	return lines, nil
}

// badLines collects what is wrong, in the workflow's words.
type badLines struct {
	byTask map[string]int
	faults []string
	lines  int
}

func (b *badLines) note(line batchLine, err error) {
	found := len(b.faults)
	var broken domain.Faults
	switch {
	case errors.As(err, &broken):
		for _, fault := range broken {
			b.add(line.number, fault.String())
		}
	case err != nil:
		b.add(line.number, err.Error())
	}
	if before, there := b.byTask[line.taskID]; there && line.taskID != "" {
		b.add(line.number, fmt.Sprintf("task_id: duplicate of line %d", before))
	} else {
		b.byTask[line.taskID] = line.number
	}
	if len(b.faults) > found {
		b.lines++
	}
}

func (b *badLines) add(line int, fault string) {
	b.faults = append(b.faults, fmt.Sprintf("line %d: %s", line, fault))
}

func (b *badLines) refusal() error {
	shown := b.faults[:min(len(b.faults), domain.MaxFaults)]
	message := domain.Count(b.lines, "line") + " can't be run; nothing was started\n  " + strings.Join(shown, "\n  ")
	if hidden := len(b.faults) - len(shown); hidden > 0 {
		message += fmt.Sprintf("\n  and %d more", hidden)
	}
	return &exit{code: exitUsage, err: errors.New(message)}
}

// results is where they are written: stdout, or a file that gets its final name once all results are there.
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

func (r *results) write(result batchResult) error { return terminal.WriteJSON(r.to, result) }

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
