// Package openapi reads API definitions: OpenAPI 3.0 and 3.1 and Swagger 2, in
// JSON or YAML, with the extensions of API Gateway (x-amazon-apigateway-*) and
// our own (x-gatehouse-*).
//
// A definition is configuration: every problem in it is reported with its file,
// line and column, all at once. What an extension of API Gateway means here is
// said in the keys of the configuration, and decoded as if the operator had
// written those; so the package knows no filter. K is the type of these keys, for
// a route or for all of them.
package openapi
