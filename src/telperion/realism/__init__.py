"""How near a simulated survey comes to light curves that nobody here simulated."""
