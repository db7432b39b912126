// Package sandbox starts one process of a function, kept apart from everything
// else on the machine. See README.md.
package sandbox
