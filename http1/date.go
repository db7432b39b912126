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
	second int64
	text   string
}

func (c *clockText) at(now time.Time) string {
	second := now.Unix()
	if d := c.now.Load(); d != nil && d.second == second {
		return d.text
	}
	d := &dated{second, now.UTC().Format(http.TimeFormat)}
	c.now.Store(d)
	return d.text
}
