// Package sts hands out temporary credentials: the part of AWS's Security Token
// Service that clients need, AssumeRole and GetCallerIdentity, by the query
// protocol, version 2011-06-15, with answers in XML.
package sts
