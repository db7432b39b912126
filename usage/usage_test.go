package usage

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func create(t testing.TB, k *Keeper, w Wish) *Created {
	t.Helper()
	if w.Name == "" {
		w.Name = "acme"
	}
	c, err := k.Create(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKeysAtTheDoor(t *testing.T) {
	h := newHouse(t)
	d := newDoor(h.Keeper, "GET /")
	soon := time.Now().Add(time.Hour)
	gold, absent, expiring := create(t, h.Keeper, Wish{Plan: "gold"}), create(t, h.Keeper, Wish{Plan: "absent"}), create(t, h.Keeper, Wish{Plan: "gold", Expires: &soon})
	own := create(t, h.Keeper, Wish{Plan: "gold", Value: "d41d8cd98f00b204e9800998ecf8427e"})
	for _, tc := range []struct {
		name       string
		header     []string
		authorizer string
		status     int
		reason     string
	}{
		{"none", nil, "", 403, "no-api-key"},
		{"empty", []string{""}, "", 403, "unknown-api-key"},
		{"wrong", []string{gold.Value[:len(gold.Value)-1] + "!"}, "", 403, "unknown-api-key"},
		{"its id", []string{gold.ID}, "", 403, "unknown-api-key"},
		{"twice", []string{gold.Value, gold.Value}, "", 403, "unknown-api-key"},
		{"huge", []string{strings.Repeat("x", 1<<16)}, "", 403, "unknown-api-key"},
		{"of a plan for another API", []string{absent.Value}, "", 403, "api-key-plan"},
		{"good", []string{gold.Value}, "", 200, ""},
		{"good, made elsewhere", []string{own.Value}, "", 200, ""},
		{"good, with an end", []string{expiring.Value}, "", 200, ""},
		{"from the authorizer", nil, gold.Value, 200, ""},
		{"the authorizer's comes before the header's", []string{gold.Value}, "other", 403, "unknown-api-key"},
	} {
		d.seen = nil
		a := d.ask(tc.header, tc.authorizer)
		if a.Code != tc.status || a.reason != tc.reason {
			t.Errorf("%s: %d %s", tc.name, a.Code, a.reason)
		}
		if want := `{"message":"Forbidden"}`; tc.status == 403 && (a.Body.String() != want || a.Header().Get("X-Amzn-Errortype") != "ForbiddenException") {
			t.Errorf("%s: %s %v", tc.name, a.Body, a.Header())
		}
		if tc.status == 200 && (d.seen == nil || d.seen.Plan != "gold" || d.sent.Get(headerName) != "") {
			t.Errorf("%s: the target sees %+v, %v", tc.name, d.seen, d.sent)
		}
	}
}

func TestKeysEnd(t *testing.T) {
	h := newHouse(t)
	d := newDoor(h.Keeper, "GET /")
	ctx := t.Context()
	key := create(t, h.Keeper, Wish{Plan: "vast"})
	want := func(value string, reason string) {
		t.Helper()
		if a := d.ask([]string{value}, ""); a.reason != reason {
			t.Errorf("%d %q, want %q", a.Code, a.reason, reason)
		}
	}
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want(key.Value, "")
	_, err := h.Enable(ctx, key.ID, false)
	step(err)
	want(key.Value, "disabled-api-key")
	_, err = h.Enable(ctx, key.ID, true)
	step(err)
	want(key.Value, "")
	next, err := h.Rotate(ctx, key.ID, time.Hour)
	step(err)
	want(key.Value, "")
	want(next.Value, "")
	last, err := h.Rotate(ctx, key.ID, 0)
	step(err)
	want(key.Value, "unknown-api-key")
	want(next.Value, "unknown-api-key")
	want(last.Value, "")
	h.close()
	h.open(t) // nothing of it depends on this process
	d = newDoor(h.Keeper, "GET /")
	want(last.Value, "")
	want(next.Value, "unknown-api-key")
	_, err = h.Delete(ctx, key.ID)
	step(err)
	want(last.Value, "unknown-api-key")
	if _, err := h.Enable(ctx, key.ID, true); err == nil || !strings.Contains(err.Error(), "keys list") {
		t.Errorf("a deleted key: %v", err)
	}
	if n := len(h.List()); n != 0 || h.Count() != 0 {
		t.Errorf("%d keys are listed, %d known", n, h.Count())
	}
}

func TestPlans(t *testing.T) {
	h := newHouse(t)
	slow := create(t, h.Keeper, Wish{Plan: "slow"})
	d, own := newDoor(h.Keeper, "GET /"), newDoor(h.Keeper, "GET /x")
	if a := d.ask([]string{slow.Value}, ""); a.Code != 200 || a.Header().Get("RateLimit-Policy") != `"plan-slow";q=1;w=3600, "plan-slow-month";q=5;w=2678400` || !strings.HasPrefix(a.Header().Get("RateLimit"), `"plan-slow";r=0;t=3600`) {
		t.Errorf("%d %v", a.Code, a.Header())
	}
	a := d.ask([]string{slow.Value}, "")
	if a.Code != 429 || a.Body.String() != `{"message":"Too Many Requests"}` || a.reason != "plan-rate" || a.Header().Get("Retry-After") != "3600" {
		t.Errorf("%d %s %v", a.Code, a.Body, a.Header())
	}
	for range 3 { // the route's own rate takes the place of the plan's
		if a := own.ask([]string{slow.Value}, ""); a.Code != 200 {
			t.Errorf("%d %s", a.Code, a.reason)
		}
	}
	if use, err := h.Usage(slow.ID); err != nil || use.Used != 4 || use.Remaining != 1 || use.Limit != 5 {
		t.Errorf("what was refused counts: %+v %v", use, err)
	}
}

func TestQuota(t *testing.T) {
	h := newHouse(t)
	d := newDoor(h.Keeper, "GET /")
	gold, other := create(t, h.Keeper, Wish{Plan: "gold"}), create(t, h.Keeper, Wish{Plan: "gold"})
	var ok, refused int
	var mu sync.Mutex
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			d := newDoor(h.Keeper, "GET /")
			for range 5 {
				a := d.ask([]string{gold.Value}, "")
				mu.Lock()
				switch {
				case a.Code == 200:
					ok++
				case a.Code == 429 && a.Body.String() == `{"message":"Limit Exceeded"}` && a.Header().Get("X-Amzn-Errortype") == "LimitExceededException" && a.Header().Get("Retry-After") != "":
					refused++
				}
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	if ok != 5 || refused != 15 {
		t.Errorf("%d admitted and %d refused of 20, with a quota of 5", ok, refused)
	}
	if a := d.ask([]string{other.Value}, ""); a.Code != 200 {
		t.Errorf("another's key: %d", a.Code)
	}
	h.close()
	h.open(t) // counts outlive it
	if a := newDoor(h.Keeper, "GET /").ask([]string{gold.Value}, ""); a.Code != 429 {
		t.Errorf("after a restart: %d", a.Code)
	}
	if use, _ := h.Usage(other.ID); use.Used != 1 {
		t.Errorf("%+v", use)
	}
}

func TestWishes(t *testing.T) {
	h := newHouse(t)
	past := time.Now().Add(-time.Second)
	for _, tc := range []struct {
		w       Wish
		problem string
	}{
		{Wish{Plan: "gold"}, "has a name"},
		{Wish{Name: "a", Plan: "silver"}, "no usage plan"},
		{Wish{Name: "a\nb", Plan: "gold"}, "control characters"},
		{Wish{Name: "a", Plan: "gold", Expires: &past}, "expired already"},
		{Wish{Name: "a", Plan: "gold", Value: "short"}, "20 to 128"},
		{Wish{Name: "a", Plan: "gold", Value: strings.Repeat("a", 40)}, "guessed"},
		{Wish{Name: "a", Plan: "gold", Value: "with a space in the middle of it"}, "printable"},
		{Wish{Name: "a", Plan: "gold", Tags: map[string]string{"a": "\x1b"}}, "control characters"},
	} {
		if _, err := h.Create(t.Context(), tc.w); err == nil || !strings.Contains(err.Error(), tc.problem) {
			t.Errorf("%+v: %v", tc.w, err)
		}
	}
	const value = "d41d8cd98f00b204e9800998ecf8427e"
	create(t, h.Keeper, Wish{Plan: "gold", Value: value})
	if _, err := h.Create(t.Context(), Wish{Name: "b", Plan: "gold", Value: value}); err == nil {
		t.Error("two keys have one value")
	}
}

func BenchmarkFind(b *testing.B) {
	h := newHouse(b)
	key := create(b, h.Keeper, Wish{Plan: "vast"})
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		h.find(key.Value, now)
	}
}

func BenchmarkCount(b *testing.B) {
	h := newHouse(b)
	key := create(b, h.Keeper, Wish{Plan: "vast"})
	now, q := time.Now(), plans()["vast"].Quota
	b.ReportAllocs()
	for b.Loop() {
		h.take(key.ID, q, now)
	}
}
