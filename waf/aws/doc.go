// Package aws reads web ACLs, rule groups, IP sets and regex pattern sets in the
// JSON that the aws command prints:
//
//	aws wafv2 get-web-acl --name edge --scope REGIONAL --id ID > edge.json
//
// What they say becomes rules as the configuration has them. What cannot be is an
// error at its place in the file.
package aws
