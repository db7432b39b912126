// Package addresses lets requests pass by the address that they come from, and
// refuses others, before anybody asks who they are.
package addresses
