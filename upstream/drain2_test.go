package upstream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// By HTTP/2 too, what a target that was taken away has not answered in time is
// cut off, and the record says why.
func TestDrainHTTP2(t *testing.T) {
	var current atomic.Int64
	hold := make(chan struct{})
	old := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		current.Add(1)
		<-hold
	}))
	old.Config.Protocols = new(http.Protocols)
	old.Config.Protocols.SetUnencryptedHTTP2(true)
	old.Start()
	defer old.Close()
	defer close(hold)

	k := newTestKeeper(t)
	c := service(strings.TrimPrefix(old.URL, "http://"))
	c.Protocol, c.Drain = "h2c", ms(50)
	f := newFront(t, New(Route{Service: bindIn(t, k, c), Retries: 2}))
	got := make(chan int, 1)
	go func() {
		resp, _, err := get(t, f.URL+"/")
		if err != nil {
			got <- 0
			return
		}
		got <- resp.StatusCode
	}()
	eventually(t, "not asked", func() bool { return current.Load() == 1 })
	c.Targets = service("127.0.0.1:1").Targets
	bindIn(t, k, c)
	status := <-got
	if o := f.last(t); status != 502 || o.Reason != "drained" {
		t.Errorf("%d, %+v", status, o)
	}
	if n := current.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}
