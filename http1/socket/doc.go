// Package socket calls a socket that never blocks by itself, such as those of
// package net, without telling the scheduler: that would cost as much as a
// short call. Its functions, and those of a Pipe between two sockets, take the descriptor that syscall.RawConn hands out.
package socket
