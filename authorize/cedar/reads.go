package cedar

import (
	"encoding/json"

	"github.com/cedar-policy/cedar-go"
)

// reads is what policies can read of a request: of the rest nothing is made for
// them. A Cedar record costs more than most policies.
type reads uint16

const (
	readParameters reads = 1 << iota
	readMethod
	readHost
	readSource
	readSecure
	readTime
	readBody
	readAPI
	readStage
	readPath

	readContext  = readParameters | readMethod | readHost | readSource | readSecure | readTime | readBody
	readResource = readAPI | readStage | readPath
	readAll      = readContext | readResource
)

// readable is what is read by an attribute of a variable.
func readable() map[string]map[string]reads {
	return map[string]map[string]reads{
		"context": {
			"parameters": readParameters, "method": readMethod, "host": readHost, "source": readSource, "secure": readSecure, "time": readTime, "body": readBody,
		},
		"resource": {"api": readAPI, "stage": readStage, "path": readPath},
	}
}

// whole is what is read by a variable that stands for itself.
func whole(variable string) reads {
	switch variable {
	case "context":
		return readContext
	case "resource":
		return readResource
	}
	return 0
}

// readsOf returns what a policy can read: by its form in JSON, in which every
// operator is a member of an object. Whatever is not known for certain is read.
func readsOf(p *cedar.Policy) reads {
	text, err := p.MarshalJSON()
	if err != nil {
		return readAll
	}
	var form struct {
		Conditions []struct{ Body any }
	}
	if err := json.Unmarshal(text, &form); err != nil {
		return readAll
	}
	all := readable()
	var out reads
	for _, c := range form.Conditions {
		out |= readIn(c.Body, all)
	}
	return out
}

// readIn returns what a part of a condition can read.
func readIn(part any, all map[string]map[string]reads) (out reads) {
	switch part := part.(type) {
	case []any:
		for _, one := range part {
			out |= readIn(one, all)
		}
	case map[string]any:
		for operator, of := range part {
			out |= readBy(operator, of, all)
		}
	}
	return out
}

func readBy(operator string, of any, all map[string]map[string]reads) reads {
	switch operator {
	case ".", "has":
		if variable, attribute, ok := attributeOf(of); ok {
			return all[variable][attribute]
		}
	case "Var":
		if variable, ok := of.(string); ok {
			return whole(variable)
		}
	case "Value":
		if _, nested := of.(map[string]any); nested { // an entity by its name, which may be the resource's; or the member of a record
			return readResource | readIn(of, all)
		}
		return 0
	}
	return readIn(of, all)
}

// attributeOf returns the attribute that an access reads of a variable itself.
func attributeOf(access any) (variable, attribute string, ok bool) {
	members, _ := access.(map[string]any)
	left, _ := members["left"].(map[string]any)
	variable, named := left["Var"].(string)
	attribute, said := members["attr"].(string)
	return variable, attribute, named && said && len(left) == 1
}
