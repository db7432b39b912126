// Package store keeps metrics on disk: samples of series, each series told by its
// labels, for as long as their resolution is kept. It is what PromQL is asked about
// (storage.Queryable).
//
// What was sampled last is in memory and, by a write-ahead log, on the disk. Every
// 20 minutes it becomes a block, a file that changes no more. Blocks grow together,
// and coarser, with age; at every moment each span of time is in one block alone.
package store
