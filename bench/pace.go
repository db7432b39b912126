package main

import (
	"math/rand/v2"
	"time"
)

// schedule says when requests are due, as time since its start. They come at
// random, independent of each other (Poisson), as those of many clients do:
// the next is due whether or not the last was answered. The same seed gives
// the same times, so that every proxy gets the same.
type schedule struct {
	random *rand.Rand
	gap    float64 // the mean, in nanoseconds
	at     float64
}

func newSchedule(rate float64, seed uint64) *schedule {
	s := &schedule{random: rand.New(rand.NewPCG(seed, 0)), gap: float64(time.Second) / rate}
	s.advance()
	return s
}

// due is when the next request is to go out.
func (s *schedule) due() time.Duration { return time.Duration(s.at) }

// advance goes on to the one after it.
func (s *schedule) advance() { s.at += s.random.ExpFloat64() * s.gap }
