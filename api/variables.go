package api

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gatehouse/config"
)

// expand returns text with ${stageVariables.NAME}, or short ${stage.NAME},
// replaced by what value says; $${ stands for ${ itself.
func expand(text string, value func(name string) (string, bool)) (string, error) {
	var out strings.Builder
	for rest := text; ; {
		before, after, more := strings.Cut(rest, "${")
		if plain, escaped := strings.CutSuffix(before, "$"); more && escaped {
			out.WriteString(plain + "${")
			rest = after
			continue
		}
		out.WriteString(before)
		if !more {
			return out.String(), nil
		}
		body, behind, closed := strings.Cut(after, "}")
		name, ok := variableName(body)
		if !closed || !ok {
			return "", errors.New("a target may hold ${stageVariables.NAME}, ${env:NAME} and ${file:PATH}; $${ stands for ${ itself")
		}
		v, known := value(name)
		if !known {
			return "", unknownVariable(name)
		}
		out.WriteString(v)
		rest = behind
	}
}

// unknownVariable is the error of a variable that a stage does not have.
type unknownVariable string

func (u unknownVariable) Error() string { return fmt.Sprintf("unknown stage variable %q", string(u)) }

func variableName(body string) (string, bool) {
	kind, name, _ := strings.Cut(body, ".")
	return name, name != "" && (kind == "stageVariables" || kind == "stage")
}

// In returns the target with the variables of a stage in place of their names.
// What is wrong with the outcome is added to report; it names no value, which
// may come from the environment.
func (t Target) In(variables map[string]string, stage string, report *config.Report) Target {
	if len(t.written) == 0 {
		return t
	}
	out := Target{Destinations: slices.Clone(t.Destinations), At: t.At}
	for _, w := range t.written {
		d, problem := w.in(variables)
		var unknown unknownVariable
		switch {
		case errors.As(problem, &unknown):
			report.Unknown(w.at, "stage variable of "+stage, string(unknown), slices.Sorted(maps.Keys(variables)))
		case problem != nil:
			report.Errorf(w.at, "with the variables of %s this is no target: %s", stage, targetForms)
		default:
			out.Destinations = append(out.Destinations, d)
		}
	}
	return out
}

// written is a destination as it stands in the file, in a target that names
// stage variables.
type written struct {
	text   string
	weight int
	at     config.Pos
}

func (w written) in(variables map[string]string) (Destination, error) {
	text, err := expand(w.text, func(name string) (string, bool) {
		v, ok := variables[name]
		return v, ok
	})
	if err != nil {
		return Destination{}, err
	}
	d, problem := parseDestination(text)
	if problem != "" {
		return d, errors.New(problem)
	}
	d.Weight, d.At = w.weight, w.at
	return d, nil
}
