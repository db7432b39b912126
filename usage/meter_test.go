package usage

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestBounds(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		per            Period
		at, begin, end string
	}{
		{Day, "2026-03-29T23:59:59Z", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"},
		{Day, "2026-03-30T01:30:00+02:00", "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"}, // UTC, whatever the zone
		{Week, "2026-11-22T12:00:00Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"},     // a Sunday
		{Week, "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"},     // a Monday
		{Week, "2027-01-01T00:00:00Z", "2026-12-28T00:00:00Z", "2027-01-04T00:00:00Z"},
		{Month, "2028-02-29T10:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{Month, "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
	} {
		begin, end := tc.per.Bounds(at(tc.at))
		if !begin.Equal(at(tc.begin)) || !end.Equal(at(tc.end)) {
			t.Errorf("%s of %s: %v to %v", tc.per, tc.at, begin, end)
		}
	}
}

// A quota is whole again when its period ends, to the second.
func TestQuotaBoundaries(t *testing.T) {
	for _, per := range []Period{Day, Week, Month} {
		synctest.Test(t, func(t *testing.T) {
			m, q := &meter{}, &Quota{Limit: 3, Per: per}
			for range 3 {
				_, end := per.Bounds(time.Now())
				for i := range 5 {
					left, until, ok := m.take(q, time.Now())
					if ok != (i < 3) || ok && left != int64(2-i) || !until.Equal(end) {
						t.Fatalf("%s: take %d: %v, %d left until %v", per, i, ok, left, until)
					}
				}
				time.Sleep(time.Until(end) - time.Second)
				if _, _, ok := m.take(q, time.Now()); ok {
					t.Errorf("%s: a second too early", per)
				}
				time.Sleep(time.Second)
			}
		})
	}
}

// A clock that is set forth, or back, and mended again grants nothing twice.
func TestClockJumps(t *testing.T) {
	m, q := &meter{}, &Quota{Limit: 3, Per: Day}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for range 3 {
		m.take(q, now)
	}
	for _, away := range []time.Duration{24 * time.Hour, 365 * 24 * time.Hour, -24 * time.Hour} {
		if _, _, ok := m.take(q, now.Add(away)); !ok {
			t.Errorf("%v away: another day has a quota of its own", away)
		}
		if _, _, ok := m.take(q, now); ok {
			t.Errorf("back from %v: granted again", away)
		}
	}
}

// What a gateway knows of others' counts is part of the quota, and what it has
// stored itself is counted once.
func TestSeveralGateways(t *testing.T) {
	k := &Keeper{index: newIndex(), meters: newMeters(), node: "aaa"}
	now := time.Now()
	q := &Quota{Limit: 10, Per: Day}
	for range 4 {
		k.take("key", q, now)
	}
	other := &meterPart{keys: map[string]*meter{"key": {}}}
	for range 5 {
		other.keys["key"].take(q, now)
	}
	for range 2 { // news may come twice
		k.countChanged("bbb.1", other.stored(now))
		k.countChanged("aaa.1", k.meters.partOf("key").stored(now))
	}
	if left, _, ok := k.take("key", q, now); !ok || left != 0 {
		t.Errorf("%d left, %v", left, ok)
	}
	if _, _, ok := k.take("key", q, now); ok {
		t.Error("more than the quota")
	}
}
