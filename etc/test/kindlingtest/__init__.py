"""What the conformance, crash and benchmark programs share: real labs, run by root or by a user made for the test."""
