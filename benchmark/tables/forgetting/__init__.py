"""What is kept and shown of forgetting: tables of rows beside a record, and pages."""
