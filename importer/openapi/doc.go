// Package openapi puts a gateway before the service that an OpenAPI or Swagger
// document describes: the document is its definition.
package openapi
