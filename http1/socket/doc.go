// Package socket calls a socket that never blocks by itself, such as those of
// package net, without telling the scheduler: that would cost as much as a
// short call. Its functions take the descriptor that syscall.RawConn hands out.
package socket
