package http1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clockText is the text of the Date field, made anew once a second.
type clockText struct {
	now atomic.Pointer[dated]
}

type dated struct {
	at   time.Time     // when it was made
	left time.Duration // for how long from then on it holds
	text string
}

// date returns the value of the Date field.
func (c *clockText) date() string {
	if d := c.now.Load(); d != nil && time.Since(d.at) < d.left {
		return d.text
	}
	at := time.Now()
	d := &dated{at, time.Second - time.Duration(at.Nanosecond()), at.UTC().Format(http.TimeFormat)}
	c.now.Store(d)
	return d.text
}
