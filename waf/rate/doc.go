// Package rate counts requests by key within a sliding window, in bounded memory,
// for rules that mean those who send too many: AWS WAF's rate-based rules.
//
// A Counter is a limit and a window in a scope, which is a rule of a web ACL. A
// request counts whether it is over the limit or not, so that who goes on sending
// stays over it. Counts stand in one of two tables, of addresses and of everything
// else, each with a bound. What has no count within its window any more is
// forgotten for those that come; where nothing can be forgotten, newcomers share
// counts, which can only be too high. So forgetting never grants a fresh count.
package rate
