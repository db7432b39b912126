// Package iam knows who there is and what they may do: users with access keys,
// groups, roles that can be assumed, and the credentials of sessions. Policies
// themselves are in the room policy, the service that hands credentials out in
// the room sts.
package iam
