// Package guard holds what a service knows of its targets and of itself over
// reloads, beside connections and health: which targets are ejected or new,
// whether its breaker is open, who is under way and who waits, how many retries
// are left. A Guard is an entry of the keeper, by the service's name.
//
// Here also stand the sections of a service's configuration that say so.
package guard
