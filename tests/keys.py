"""The key with which tests encrypt what they store."""

KEY = "YSBrZXkgdGhhdCBvbmx5IHRoZSB0ZXN0cyBrbm93ISE="
