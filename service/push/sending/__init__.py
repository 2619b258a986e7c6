"""Sends pushes: to push services of browsers and UnifiedPush, to back ends, and by FCM and APNs."""
