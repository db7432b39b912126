// Package grpcweb is what gRPC-Web has beside gRPC (PROTOCOL-WEB.md of gRPC):
// media types, bodies in base64, and trailers in the body.
package grpcweb
