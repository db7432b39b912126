//go:build !linux

package main

// conceal does nothing: other systems have other rules for who sees what.
func conceal() error { return nil }
