// Package importer writes configurations of Gatehouse: a model with comments, and
// its text. The rooms inside it read what others understand: nginx, Kong, OpenAPI,
// and services that answer.
//
// What is written passes gatehouse check. What could not be carried over stands
// there as a comment, with the line that said it, and is in the Result's notes.
package importer
