package gatehouse

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"gatehouse/exchange"
)

// A refusal that panics too does not keep what the request has taken.
func TestContainedTwice(t *testing.T) {
	var log bytes.Buffer
	budget := exchange.NewBudget(1 << 20)
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("body"))
	x, r := exchange.Begin(httptest.NewRecorder(), r, &exchange.Conn{}, budget)
	if _, err := x.Body.All(10); err != nil {
		t.Fatal(err)
	}
	x.OnHead(func(*exchange.Head) { panic("a hook") })
	v := &visit{gateway: &Gateway{log: slog.New(slog.NewTextHandler(&log, nil))}, x: x, r: r}
	if v.contain() {
		t.Error("contained")
	}
	if !strings.Contains(log.String(), "a hook") {
		t.Errorf("the log says %q", &log)
	}
	x.Abort()
	if budget.Used() != 0 {
		t.Errorf("%d bytes are still taken", budget.Used())
	}
}
