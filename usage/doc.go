// Package usage knows API keys and usage plans: who has which key, what its plan
// grants, and how much of that is used.
//
// An API key tells clients apart, so that each gets what its plan says. It is
// no authorization: routes say beside it who may call. Of a key only its
// HMAC-SHA256 is kept; looking one up costs no I/O, no allocation, and tells by
// its time nothing of the keys that there are.
package usage
