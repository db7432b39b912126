package exchange

import (
	"net/http"
	"time"
)

// Refused is the record of a request that the HTTP engine refused before it
// could be served: all that is known is its connection and what it was told.
// It is printed like any other, and not released.
func Refused(conn *Conn, rule *Rule, status int, reason, detail string) *Exchange {
	x := &Exchange{ID: newID(), Start: time.Now(), Conn: conn, Client: conn.Source.Addr()}
	x.refusal = Refusal{Status: status, Rule: rule, Reason: reason, Detail: detail}
	x.refusal.fill()
	x.Refused = &x.refusal
	x.Trail.Add(rule, Denied, detail)
	x.Writer.x, x.Writer.status, x.Writer.begun, x.Writer.ended = x, status, true, true
	return x
}

// Answer returns the fields and the body by which the engine tells the client
// of a refusal that no ResponseWriter was there for.
func (x *Exchange) Answer() (http.Header, []byte) {
	h := make(http.Header, 8)
	x.refusal.describe(h, x.ID)
	h.Set("Cache-Control", "no-store")
	return h, x.refusal.text(h)
}
