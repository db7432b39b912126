package state

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKillStorm: a process that is killed at any moment has lost nothing that it
// acknowledged, however often.
func TestKillStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("hundreds of kills")
	}
	const kills = 300
	data, key := folders(t)
	acknowledged := -1
	for n := range kills {
		cmd, lines := child(t, "writer", data, key)
		var have, highest int
		if !lines.Scan() {
			t.Fatalf("kill %d: the process says nothing", n)
		}
		if _, err := fmt.Sscanf(lines.Text(), "has %d %d", &have, &highest); err != nil {
			t.Fatalf("kill %d: it says %q", n, lines.Text())
		}
		if highest < acknowledged || have != highest+1 {
			t.Fatalf("kill %d: %d rows up to %d, but up to %d were acknowledged", n, have, highest, acknowledged)
		}
		timer := time.AfterFunc(time.Duration(rand.IntN(30))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		for lines.Scan() {
			if _, err := fmt.Sscanf(lines.Text(), "stored %d", &acknowledged); err != nil {
				t.Fatalf("kill %d: it says %q", n, lines.Text())
			}
		}
		_ = cmd.Wait()
		timer.Stop()
	}
	if acknowledged < kills {
		t.Errorf("only %d rows in %d lives: the storm shows little", acknowledged, kills)
	}
	t.Logf("%d kills, %d rows", kills, acknowledged+1)
}
