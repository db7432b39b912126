// Package limit counts what callers may do: token buckets, in bounded memory,
// that outlive reloads.
//
// A Limit is a rate and a burst in a scope. Its buckets are found by Key: one
// for everybody together, one for each client address, or one for each name
// such as a principal's. A bucket starts full with burst tokens and regains
// rate tokens a second; a request takes one.
//
// Buckets stand in three tables: one for names, so that a flood of strangers
// cannot push out what is known of customers, one for addresses, and one for
// addresses at limits that are so slow that a trickle fills it. A table keeps
// at most as many buckets as it was given capacity. Only buckets that are full
// again are ever forgotten, which changes nothing for their callers; where
// there are none, callers that are not in the table share one bucket for each
// Limit. So forgetting never grants a fresh bucket.
package limit
