// Package cors lets web pages of other origins call an API: it answers
// preflights before anybody asks who calls, and gives every other answer,
// refusals too, the fields that browsers look for (Fetch standard, "HTTP
// extensions"). What a target says of CORS itself is replaced.
package cors
