// Package event writes requests as API Gateway and Lambda hand them to functions,
// and reads what functions answer: payload formats 1.0 (REST) and 2.0 (HTTP),
// function URLs, and the events of custom authorizers.
//
// Events are appended to a caller's buffer without reflection: they are made for
// every request that a function serves. Answers are read strictly: what is no
// answer in its format is an error, and nothing of an answer can add a field that
// belongs to the connection, or split a line.
package event
