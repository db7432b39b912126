package store

import (
	"context"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// forever is the context of what nobody gives up.
func forever() context.Context { return context.Background() }

// stand returns the number after the last one that is kept, and an error where one
// before is missing, as far as blocks have not thinned them out.
func stand(s *Store) (int, error) {
	q, err := s.Queryable(0).Querier(0, math.MaxInt64/4)
	if err != nil {
		return 0, err
	}
	defer q.Close()
	set := q.Select(forever(), true, nil, labels.MustNewMatcher(labels.MatchEqual, model.MetricNameLabel, "n"))
	next := 0
	for set.Next() {
		it := set.At().Iterator(nil).(*iterator)
		it.every = math.MaxInt64
		for it.Next() != chunkenc.ValNone {
			if int(it.at.v) < next || it.at.t != began+int64(it.at.v)*5*minute {
				return 0, fmt.Errorf("after %d comes %v", next-1, it.at)
			}
			if it.step <= minute && int(it.at.v) != next { // five minutes apart, none is thinned out
				return 0, fmt.Errorf("after %d comes %v", next-1, it.at)
			}
			next = int(it.at.v) + 1
		}
		if it.Err() != nil {
			return 0, it.Err()
		}
	}
	return next, set.Err()
}
