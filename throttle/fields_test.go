package throttle

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A client that keeps to what the fields say is never refused.
func TestFieldsCanBeTrusted(t *testing.T) {
	for _, c := range []Config{
		{Rate: rate("10/s"), Burst: 5, Per: Route}, {Rate: rate("10/s"), Burst: 20, Per: Route}, {Rate: rate("7/m"), Per: Route},
		{Rate: rate("1000/h"), Burst: 3, Per: Route}, {Rate: rate("0.3/s"), Burst: 2, Per: Route},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(lease(), route("a", c))
			for range 50 {
				a := g.ask(ann, "")
				var name string
				var quota, window, left, reset int
				_, err1 := fmt.Sscanf(a.Header().Get("RateLimit-Policy"), "%q;q=%d;w=%d", &name, &quota, &window)
				_, err2 := fmt.Sscanf(a.Header().Get("RateLimit"), "%q;r=%d;t=%d", &name, &left, &reset)
				if a.Code != 200 || err1 != nil || err2 != nil {
					t.Fatalf("%v: %d %v", c, a.Code, a.Header())
				}
				if left == 0 {
					time.Sleep(time.Duration(reset) * time.Second)
				}
				time.Sleep(time.Duration(window) * time.Second / time.Duration(2*quota))
			}
		})
	}
}

// Retry-After does not end before the window in which the RateLimit field says that
// nothing is left (section 6 of the draft).
func TestRetryAfterAgreesWithTheFields(t *testing.T) {
	for _, c := range []Config{
		{Rate: rate("5/d"), Burst: 5, Per: Route}, {Rate: rate("0.3/s"), Burst: 9, Per: IP}, {Rate: rate("1000/s"), Burst: 1, Per: Route}, {Rate: rate("7/m"), Per: Principal},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newGate(lease(), route("a", c))
			g.admitted(c.BurstOrDefault(), ann, "")
			a := g.ask(ann, "")
			var name string
			var left, window, after int
			_, err := fmt.Sscanf(a.Header().Get("RateLimit"), "%q;r=%d;t=%d", &name, &left, &window)
			if _, err2 := fmt.Sscan(a.Header().Get("Retry-After"), &after); err != nil || err2 != nil || a.Code != 429 {
				t.Fatalf("%v: %d %v", c, a.Code, a.Header())
			}
			if left != 0 || after < window {
				t.Errorf("%v: r=%d;t=%d, Retry-After %d", c, left, window, after)
			}
			time.Sleep(time.Duration(after) * time.Second)
			if a := g.ask(ann, ""); a.Code != 200 {
				t.Errorf("%v: %d after the wait", c, a.Code)
			}
		})
	}
}

// What the target says of its own limits stays.
func TestTargetsOwnFields(t *testing.T) {
	g := newGate(lease(), route("a", Config{Rate: rate("1/s"), Burst: 9, Per: Route}))
	g.header = http.Header{"Ratelimit": {`"mine";r=3`}, "Ratelimit-Policy": {`"mine";q=4`}}
	a := g.ask(ann, "")
	if got := fmt.Sprint(a.Header()["Ratelimit"], a.Header()["Ratelimit-Policy"]); got != `["mine";r=3 "route";r=8;t=1] ["mine";q=4 "route";q=9;w=9]` {
		t.Errorf("got %s", got)
	}
}
