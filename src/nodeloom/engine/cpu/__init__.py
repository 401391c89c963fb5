"""The CPU as a device: threads train tiles of whole tables, or the blocks of a grid."""
