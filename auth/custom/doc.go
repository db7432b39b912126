// Package custom knows callers by asking a program of the operator's, in API
// Gateway's formats for custom (Lambda) authorizers: events of type TOKEN and
// REQUEST, versions 1.0 and 2.0, answered by a policy or by yes or no. The
// program is behind an URL; one that is a function is asked through Invoker.
package custom
