// Package nginx reads the configuration of nginx, with its own lexer and parser,
// and writes what Gatehouse makes of it.
package nginx
