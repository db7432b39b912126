package compress

import "sync/atomic"

// Keeper keeps what outlives a reload: how much memory the encoders at work
// take together, and what they have done. It is safe for concurrent use.
type Keeper struct {
	limit   int64
	used    atomic.Int64
	refused atomic.Uint64
	counts  [codings]counts
}

type counts struct{ answers, plain, coded atomic.Uint64 }

// NewKeeper returns a Keeper whose encoders take at most limit bytes together:
// an answer that finds no room stays plain. Those that wait in pools for their
// next answer are not counted: the garbage collector takes them.
func NewKeeper(limit int64) *Keeper { return &Keeper{limit: limit} }

func (k *Keeper) take(n int64) bool {
	if k.used.Add(n) <= k.limit {
		return true
	}
	k.used.Add(-n)
	k.refused.Add(1)
	return false
}

func (k *Keeper) give(n int64) { k.used.Add(-n) }

func (k *Keeper) count(c coding, plain, coded int64) {
	n := &k.counts[c]
	n.answers.Add(1)
	n.plain.Add(uint64(plain))
	n.coded.Add(uint64(coded))
}

// Usage is the memory of the encoders.
type Usage struct {
	Used    int64
	Limit   int64
	Refused uint64 // answers that stayed plain for want of it
}

// Usage returns the memory of the encoders at work.
func (k *Keeper) Usage() Usage {
	return Usage{Used: k.used.Load(), Limit: k.limit, Refused: k.refused.Load()}
}

// Count is what was done by one coding.
type Count struct {
	Coding  string
	Answers uint64 // begun and ended, those that broke off too
	Plain   uint64 // bytes of their bodies before
	Coded   uint64 // and after
}

// Counts returns what was done so far, by coding.
func (k *Keeper) Counts() []Count {
	var out []Count
	for c := gzip; c < codings; c++ {
		n := &k.counts[c]
		out = append(out, Count{names[c], n.answers.Load(), n.plain.Load(), n.coded.Load()})
	}
	return out
}
