package metrics

import "github.com/prometheus/client_golang/prometheus"

// StoreStats is how the store of metrics is doing.
type StoreStats struct {
	Series, Active, Limit, Blocks       int
	Bytes, BytesLimit                   int64
	Oldest                              float64 // Unix seconds; 0 for none
	Samples, Late, Folded, Failed, Lost uint64
}

func (s Sources) store() prometheus.Collector {
	type T = StoreStats
	return newFamily(s.Store, "metrics", nil,
		func(*T) []string { return nil },
		column[T]{"series", "Series that are kept, those that have ended included.", current, func(s *T) float64 { return float64(s.Series) }},
		column[T]{"series_active", "Series that the last samples were of.", current, func(s *T) float64 { return float64(s.Active) }},
		column[T]{"series_limit", "Series that are kept at most.", current, func(s *T) float64 { return float64(s.Limit) }},
		column[T]{"blocks", "Files that metrics are kept in.", current, func(s *T) float64 { return float64(s.Blocks) }},
		column[T]{"used_bytes", "What kept metrics take on the disk.", current, func(s *T) float64 { return float64(s.Bytes) }},
		column[T]{"limit_bytes", "What kept metrics may take on the disk.", current, func(s *T) float64 { return float64(s.BytesLimit) }},
		column[T]{"oldest_timestamp_seconds", "When the oldest metrics that are kept were sampled.", current, func(s *T) float64 { return s.Oldest }},
		column[T]{"samples_total", "Samples that were kept.", counts, func(s *T) float64 { return float64(s.Samples) }},
		column[T]{"late_samples_total", "Samples left out, since newer ones of their series were kept already.", counts, func(s *T) float64 { return float64(s.Late) }},
		column[T]{"folded_samples_total", "Samples left out, since there was no room for their series.", counts, func(s *T) float64 { return float64(s.Folded) }},
		column[T]{"lost_samples_total", "Samples lost, since they could not be written for 20 minutes.", counts, func(s *T) float64 { return float64(s.Lost) }},
		column[T]{"write_errors_total", "Writes of metrics that failed.", counts, func(s *T) float64 { return float64(s.Failed) }},
	)
}
