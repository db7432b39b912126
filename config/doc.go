// Package config reads what the operator wrote: strict YAML into plain Go
// structs, with the place of every value kept, so that every error can name
// its file, line and column.
//
// The structs live in the rooms that use them. A struct says its keys by tags:
//
//	type Config struct {
//		config.At                                                        // filled in with the places
//		Rate   Rate            `yaml:"rate,required" doc:"tokens a second"`
//		Burst  int             `yaml:"burst" default:"10" range:"1..1000000" doc:"bucket size"`
//		Per    string          `yaml:"per" default:"ip" enum:"ip|route" doc:"..."`
//		TLS    *TLS            `yaml:"tls" doc:"..."`                    // nil where absent
//		Inner  Inner           `yaml:"inner"`                            // defaults apply where absent
//		Shared `yaml:",inline"`                                          // its keys are ours
//	}
//
// Unknown keys, duplicate keys, wrong types and values outside their range are
// errors, all collected in one Report. What could be read is there all the same,
// so that a second look can find at once what is wrong between the sections.
package config
