// Package api holds API definitions: the apis section of the configuration,
// with domains, stages and inline routes, resolved into resources: one for
// each route of each stage, ready for the route table.
//
// The package knows nothing of filters. What a route, a stage or an API says
// about them is its policies, a type of the caller's: a resource carries those
// of all three levels, and the caller decides how they combine.
package api
