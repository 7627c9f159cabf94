output "trail_arn" {
  description = "The trail."
  value       = aws_cloudtrail.trail.arn
}
