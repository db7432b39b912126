package test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"gatehouse/test/desync"
)

// intended holds that a request which the service saw whole is one that net/http
// sees in what the client sent, with that body.
func intended(t testing.TB, sent string, seen []desync.Request) {
	t.Helper()
	meant, _ := desync.Standard(sent)
	for _, r := range seen {
		same := func(m desync.Request) bool { return m.Method == r.Method && m.Body == r.Body }
		if r.Whole && !slices.ContainsFunc(meant, same) {
			t.Errorf("the client did not send %s %s with %q", r.Method, r.Target, r.Body)
		}
	}
}

// TestMutations: whatever messages are made of, no server behind the gateway
// can see two requests where the gateway saw one. GATEHOUSE_MUTATIONS says how
// many are tried.
func TestMutations(t *testing.T) {
	w := newWitness(t)
	messages, seen := 500, 0
	if n, err := strconv.Atoi(os.Getenv("GATEHOUSE_MUTATIONS")); err == nil {
		messages = n
	}
	for i := range messages {
		sent := desync.Message(rand.New(rand.NewPCG(4, uint64(i))))
		answers := w.say(t, sent, true)
		all := w.settle(t)
		intended(t, sent, all)
		seen += len(all)
		if t.Failed() {
			t.Fatalf("message %d: %q was answered with %q", i, sent, answers)
		}
	}
	if seen < messages/4 {
		t.Errorf("of %d messages only %d requests passed: they prove little", messages, seen)
	}
	t.Logf("%d requests passed", seen)
}
