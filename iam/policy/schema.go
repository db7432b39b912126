package policy

import "gatehouse/config"

// ConfigSchema implements config.Schemer.
func (Source) ConfigSchema() *config.Schema {
	forms := config.SchemaOf(struct {
		Document documentForm `yaml:"document"`
	}{})
	return &config.Schema{AnyOf: []*config.Schema{
		{Type: "string", Description: "path of a file that holds an IAM policy document, JSON or YAML"},
		forms.Properties["document"],
	}}
}

// documentForm and statementForm stand for what a document holds, in the schema
// alone.
type (
	documentForm  struct{}
	statementForm struct{}
)

// ConfigSchema implements config.Schemer.
func (documentForm) ConfigSchema() *config.Schema {
	statement := config.SchemaOf(struct {
		Statement statementForm `yaml:"statement"`
	}{}).Properties["statement"]
	return &config.Schema{
		Type: "object", AdditionalProperties: false, Required: []string{"Statement"},
		Properties: map[string]*config.Schema{
			"Version":   {Enum: []any{Version2012, Version2008}, Description: "of the policy language: without it ${} are no variables"},
			"Id":        {Type: "string", Description: "the policy's name in trails"},
			"Statement": {AnyOf: []*config.Schema{statement, {Type: "array", Items: statement}}, Description: "what is allowed, and what is denied"},
		},
	}
}

// ConfigSchema implements config.Schemer.
func (statementForm) ConfigSchema() *config.Schema {
	texts := func(description string) *config.Schema {
		return &config.Schema{AnyOf: []*config.Schema{{Type: "string"}, {Type: "array", Items: &config.Schema{Type: "string"}}}, Description: description}
	}
	named := func(description string) *config.Schema {
		return &config.Schema{AnyOf: []*config.Schema{{Type: "string"}, {Type: "object"}}, Description: description}
	}
	return &config.Schema{
		Type: "object", AdditionalProperties: false, Required: []string{"Effect"},
		Properties: map[string]*config.Schema{
			"Sid":          {Type: "string", Description: "the statement's name in trails"},
			"Effect":       {Enum: []any{"Allow", "Deny"}, Description: "a Deny is final"},
			"Principal":    named(`who: "*" or {"AWS": ARN}; in policies of resources and roles alone`),
			"NotPrincipal": named("all but these, with Deny alone"),
			"Action":       texts("what for: SERVICE:NAME with * and ?"),
			"NotAction":    texts("for all but these"),
			"Resource":     texts("of what: ARNs with * and ?"),
			"NotResource":  texts("of all but these"),
			"Condition":    {Type: "object", AdditionalProperties: &config.Schema{Type: "object"}, Description: "when: {OPERATOR: {KEY: VALUES}}"},
		},
	}
}
