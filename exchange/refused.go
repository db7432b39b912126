package exchange

import "time"

// Refused is the record of a request that the HTTP engine refused before it
// could be served: all that is known is its connection and what it was told.
// It is printed like any other, and not released.
func Refused(conn *Conn, rule *Rule, status int, reason string) *Exchange {
	x := &Exchange{ID: newID(), Start: time.Now(), Conn: conn, Client: conn.Source.Addr()}
	x.refusal = Refusal{Status: status, Rule: rule, Reason: reason}
	x.refusal.fill()
	x.Refused = &x.refusal
	x.Trail.Add(rule, Denied, reason)
	x.Writer.x, x.Writer.status, x.Writer.begun, x.Writer.ended = x, status, true, true
	return x
}
