// Package sigv4 verifies requests that are signed by AWS Signature Version 4:
// in the Authorization header or, presigned, in the query; with their body's
// hash, unsigned, or in signed chunks (aws-chunked).
//
// The signature covers the request's line as the client sent it, byte by byte,
// its host, every x-amz- header, and whatever else the client chose. Inside a
// window of five minutes around the time that it tells, a request can be sent
// again, as at AWS: clients repeat what they have signed.
package sigv4
