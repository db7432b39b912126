package exchange_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"gatehouse/exchange"
)

// withBody begins a request whose body has a known length, or not.
func withBody(body string, known bool, budget *exchange.Budget) *exchange.Exchange {
	r := httptest.NewRequest("POST", "/", iotest.OneByteReader(strings.NewReader(body)))
	if r.ContentLength = -1; known {
		r.ContentLength = int64(len(body))
	}
	x, _ := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, budget)
	return x
}

func TestCopy(t *testing.T) {
	text := strings.Repeat("0123456789", 1000)
	for _, known := range []bool{true, false} {
		for name, read := range map[string]func(*exchange.Body){
			"whole":     func(b *exchange.Body) { _, _ = io.ReadAll(b) },
			"to length": func(b *exchange.Body) { _, _ = io.ReadFull(b, make([]byte, len(text))); _, _ = b.Read(make([]byte, 1)) },
			"after a peek, and again": func(b *exchange.Body) {
				_, _ = b.Peek(100)
				_, _ = io.ReadFull(b, make([]byte, 50))
				b.Rewind()
				_, _ = io.ReadAll(b)
			},
			"buffered, and three times": func(b *exchange.Body) {
				_, _ = b.All(1 << 20)
				for range 3 {
					_, _ = io.ReadAll(b)
					b.Rewind()
				}
			},
		} {
			budget := exchange.NewBudget(1 << 20)
			x := withBody(text, known, budget)
			c := x.Body.Copy(1 << 16)
			read(&x.Body)
			x.Finish()
			x.Release()
			if got, err := c.Bytes(); err != nil || string(got) != text {
				t.Errorf("%s, length known %v: %d bytes, %v", name, known, len(got), err)
			}
			if budget.Used() < int64(len(text)) {
				t.Errorf("%s: %d of the budget", name, budget.Used())
			}
			c.Free()
			if budget.Used() != 0 {
				t.Errorf("%s: %d are left of the budget", name, budget.Used())
			}
		}
	}
}

// A copy that cannot be whole is none, and the request goes on.
func TestCopyGivesUp(t *testing.T) {
	text := strings.Repeat("x", 10_000)
	for _, tc := range []struct {
		name   string
		known  bool
		limit  int64
		budget int64
		before func(*exchange.Body)
		read   int
		want   error
	}{
		{"a known length over the limit", true, 9_999, 0, nil, 10_000, exchange.ErrBodyTooLarge},
		{"an unknown length over the limit", false, 9_999, 0, nil, 10_000, exchange.ErrBodyTooLarge},
		{"not read to its end", true, 1 << 20, 0, nil, 9_999, exchange.ErrBodyGone},
		{"more than half of the budget", true, 1 << 20, 12_000, nil, 10_000, exchange.ErrBodyBudget},
		{"begun before", true, 1 << 20, 0, func(b *exchange.Body) { _, _ = b.Read(make([]byte, 1)) }, 9_999, exchange.ErrBodyGone},
	} {
		budget := exchange.NewBudget(tc.budget)
		if tc.budget == 0 {
			budget.SetLimit(1 << 20)
		}
		x := withBody(text, tc.known, budget)
		if tc.before != nil {
			tc.before(&x.Body)
		}
		c := x.Body.Copy(tc.limit)
		if n, err := io.ReadFull(&x.Body, make([]byte, tc.read)); n != tc.read || err != nil {
			t.Errorf("%s: the request itself read %d: %v", tc.name, n, err)
		}
		x.Finish()
		if got, err := c.Bytes(); !errors.Is(err, tc.want) || got != nil {
			t.Errorf("%s: %d bytes, %v", tc.name, len(got), err)
		}
		c.Free()
		if budget.Used() != 0 {
			t.Errorf("%s: %d are left of the budget", tc.name, budget.Used())
		}
	}
}

func TestCopyOfNothing(t *testing.T) {
	x, _ := exchange.Begin(httptest.NewRecorder(), httptest.NewRequest("GET", "/", http.NoBody), &exchange.Conn{}, nil)
	if got, err := x.Body.Copy(0).Bytes(); err != nil || !bytes.Equal(got, nil) {
		t.Error(got, err)
	}
}
