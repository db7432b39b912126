// Package ipset holds sets of IP addresses: up to millions of ranges, looked up
// without an allocation and without a lock.
//
// A Set is built once, from what the configuration says and from the files that it
// names, and never changes. Ranges that overlap, touch or come twice become one.
package ipset
