// Package schema compiles JSON Schema (2020-12, and the dialect of Swagger 2 and
// OpenAPI 3.0) and holds values against it: exactly, within a budget of steps, and
// up to the first thing that is wrong.
//
// Not supported, and told when the schema is compiled: $dynamicRef, references
// that are no JSON pointers, and patterns that RE2 cannot express. Keywords that
// no dialect has are passed over, as JSON Schema wants.
package schema
