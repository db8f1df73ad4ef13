package contract

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// differences returns the paths at which two requests differ. In both, the defaults are filled in.
func differences(a, b NormalisedRequest) []string {
	left, right := flattened(a), flattened(b)
	paths := map[string]bool{}
	for path, value := range left {
		if other, there := right[path]; !there || other != value {
			paths[path] = true
		}
	}
	for path := range right {
		if _, there := left[path]; !there {
			paths[path] = true
		}
	}
	return slices.Sorted(maps.Keys(paths))
}

func flattened(request NormalisedRequest) map[string]string {
	flat := map[string]string{}
	text, err := json.Marshal(request)
	if err != nil {
		return flat
	}
	var tree any
	if json.Unmarshal(text, &tree) != nil {
		return flat
	}
	flatten("", tree, flat)
	return flat
}

func flatten(path string, value any, into map[string]string) {
	switch typed := value.(type) {
	case map[string]any:
		for name, inner := range typed {
			flatten(join(path, name), inner, into)
		}
	case []any:
		for i, inner := range typed {
			flatten(fmt.Sprintf("%s[%d]", path, i), inner, into)
		}
	default:
		into[path] = fmt.Sprint(typed)
	}
}
