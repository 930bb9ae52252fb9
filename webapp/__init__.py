"""The web application: the only code that touches the ORM or HTTP. It never imports torch."""
