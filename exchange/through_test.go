package exchange

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// doubled hands out each byte twice.
type doubled struct {
	io.ReadCloser
	last []byte
}

func (d *doubled) Read(p []byte) (int, error) {
	var one [1]byte
	if len(d.last) == 0 {
		n, err := d.ReadCloser.Read(one[:])
		if n == 0 {
			return 0, err
		}
		d.last = []byte{one[0], one[0]}
	}
	n := copy(p, d.last)
	d.last = d.last[n:]
	return n, nil
}

func bodyOf(text string, budget *Budget) *Exchange {
	x, _ := Begin(httptest.NewRecorder(), httptest.NewRequest("POST", "/", strings.NewReader(text)), &Conn{}, budget)
	return x
}

// What stands in the way counts for everybody: its bytes, and its length.
func TestBodyThrough(t *testing.T) {
	x := bodyOf("abc", nil)
	twice := func(src io.ReadCloser) io.ReadCloser { return &doubled{ReadCloser: src} }
	if !x.Body.Through(6, twice) || x.Body.Declared() != 6 {
		t.Fatal(x.Body.Declared())
	}
	if got, err := x.Body.All(10); err != nil || string(got) != "aabbcc" {
		t.Errorf("%q %v", got, err)
	}
	if x.Body.Through(6, twice) {
		t.Error("after the body was read")
	}
	x = bodyOf("abc", nil)
	x.Body.Through(-1, twice)
	x.Body.SetLimit(5)
	if _, err := x.Body.All(10); !errors.Is(err, ErrBodyTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestBodyReserve(t *testing.T) {
	budget := NewBudget(100)
	x := bodyOf("abc", budget)
	if err := x.Body.Reserve(60); err != nil {
		t.Fatal(err)
	}
	if err := x.Body.Reserve(60); !errors.Is(err, ErrBodyBudget) || budget.Used() != 60 {
		t.Errorf("%v, %d used", err, budget.Used())
	}
	if x.Finish(); budget.Used() != 0 {
		t.Errorf("%d used after the end", budget.Used())
	}
}

// Who verifies a body says itself how it is refused.
func TestBodyFault(t *testing.T) {
	rule := &Rule{Filter: "upstream"}
	f := BodyRefusal(rule, &BodyFault{Status: http.StatusForbidden, Type: "T", Message: "m", Reason: "r", Detail: "d"})
	if f.Status != 403 || f.Type != "T" || f.Message != "m" || f.Reason != "r" || f.Detail != "d" || f.Rule != rule || f.Header.Get("Connection") != "close" {
		t.Errorf("%+v", f)
	}
}
